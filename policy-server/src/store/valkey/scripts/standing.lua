-- ARGV: 2 id, 3 user, 4 started.
local started = tonumber(ARGV[4])
local user = tonumber(redis.call('HGET', P .. 'users', ARGV[3]) or '-1')
local all = tonumber(redis.call('HGET', P .. 'all', 'through') or '-1')
local revoked = redis.call('ZSCORE', P .. 'revoked', ARGV[2]) or user >= started or all >= started
return { revoked and 1 or 0, redis.call('HGET', P .. 'session:' .. ARGV[2], 'access') }
