-- ARGV: 2 kind, 3 name.
local value = redis.call('HGET', P .. 'record:value:' .. ARGV[2], ARGV[3])
if not value then return {} end
return { { value, redis.call('HGET', P .. 'record:version:' .. ARGV[2], ARGV[3]) } }
