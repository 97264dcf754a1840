-- ARGV: 2 the number after which to read, 3 how many. Returns the number of the last entry, the number
-- of the first that follows, and the events.
local last = redis.call('GET', P .. 'feed:end') or '0'
local entries = redis.call('XRANGE', P .. 'feed', '(' .. ARGV[2] .. '-0', '+', 'COUNT', ARGV[3])
local events = {}
for _, entry in ipairs(entries) do table.insert(events, entry[2][2]) end
local first = entries[1] and string.match(entries[1][1], '^%d+') or '0'
return { last, first, events }
