-- ARGV: 2 id, 3 now.
local known = redis.call('HMGET', P .. 'session:' .. ARGV[2], 'summary', 'access', 'ends')
if not known[1] or tonumber(known[3]) <= tonumber(ARGV[3]) then return {} end
return { { known[1], known[2], properties(ARGV[2]) } }
