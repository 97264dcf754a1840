-- ARGV: 2 now, 3 user ("" for all), 4 and 5 started of the cursor ("+inf" without one) and its id,
-- 6 how many, 7 the earliest start.
local now, wanted = tonumber(ARGV[2]), tonumber(ARGV[6])
local source = { P .. 'started' }
if ARGV[3] ~= '' then
    source = { P .. 'of:' .. ARGV[3], P .. 'named:' .. ARGV[3] }
end
local found, seen = {}, {}
for _, key in ipairs(source) do
    local offset, taken = 0, 0
    repeat
        local part = redis.call('ZREVRANGEBYSCORE', key, ARGV[4], ARGV[7], 'WITHSCORES', 'LIMIT', offset, 1000)
        for index = 1, #part, 2 do
            local id, started = part[index], tonumber(part[index + 1])
            local after = started ~= tonumber(ARGV[4]) or id < ARGV[5]
            if after and taken <= wanted then
                taken = taken + 1
                if not seen[id] then
                    seen[id] = true
                    table.insert(found, { id = id, started = started })
                end
            end
        end
        offset = offset + 1000
    until #part == 0 or taken > wanted
end
table.sort(found, function(one, other)
    return one.started > other.started or (one.started == other.started and one.id > other.id)
end)
local rows, last, started = {}, '', 0
for index = 1, math.min(wanted, #found) do
    last, started = found[index].id, found[index].started
    local known = redis.call('HMGET', P .. 'session:' .. last, 'summary', 'access', 'ends')
    if known[1] and tonumber(known[3]) > now then
        table.insert(rows, { known[1], known[2], properties(last) })
    end
end
if #found <= wanted then last = '' end
return { last, string.format('%.0f', started), rows }
