-- Renews a lease, and tells of others how long they last, in one step.
-- KEYS: the lease, then those of others. ARGV: the token of its holder; for how many ms.
-- The answer: 1 if the lease was there, else 0; then for each of the others the ms that are left, negative if there is none.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
    return redis.error_reply('HELD the lease has another holder')
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
local answer = { holder and 1 or 0 }
for i = 2, #KEYS do
    answer[i] = redis.call('PTTL', KEYS[i])
end
return answer
