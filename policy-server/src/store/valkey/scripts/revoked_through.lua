-- ARGV: 2 user. Returns -1 if nothing is revoked.
local user = tonumber(redis.call('HGET', P .. 'users', ARGV[2]) or '-1')
local all = tonumber(redis.call('HGET', P .. 'all', 'through') or '-1')
return string.format('%.0f', math.max(user, all))
