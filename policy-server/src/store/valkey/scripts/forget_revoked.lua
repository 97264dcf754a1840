-- ARGV: 2 through. Forgets a thousand sessions that began then or before; says how many there were.
local ids = redis.call('ZRANGEBYSCORE', P .. 'started', '-inf', ARGV[2], 'LIMIT', 0, 1000)
for _, id in ipairs(ids) do forget(id) end
return #ids
