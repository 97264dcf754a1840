-- ARGV: 2 kind.
local rows, values = {}, redis.call('HGETALL', P .. 'record:value:' .. ARGV[2])
for index = 1, #values, 2 do
    local version = redis.call('HGET', P .. 'record:version:' .. ARGV[2], values[index])
    table.insert(rows, { values[index], values[index + 1], version })
end
return rows
