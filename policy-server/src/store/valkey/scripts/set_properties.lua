-- ARGV: 2 id, 3 now, 4 how many are set, then name and value of each, then the names to remove.
local ends = redis.call('HGET', P .. 'session:' .. ARGV[2], 'ends')
if not ends or tonumber(ends) <= tonumber(ARGV[3]) then return {} end
local key, rest = P .. 'properties:' .. ARGV[2], 5 + 2 * tonumber(ARGV[4])
for index = 5, rest - 1, 2 do redis.call('HSET', key, ARGV[index], ARGV[index + 1]) end
for index = rest, #ARGV do redis.call('HDEL', key, ARGV[index]) end
return { properties(ARGV[2]) }
