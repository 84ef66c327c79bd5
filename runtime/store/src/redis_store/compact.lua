-- KEYS: rows, tiles. ARGV: how many are expected, then kind, name and version of each (no version: it must not be there); how many are removed, then
-- kind and name of each; then kind, name and payload of each part that is put.
local rows, tiles = KEYS[1], KEYS[2]
local at = 2
for _ = 1, tonumber(ARGV[1]) do
    local there
    if ARGV[at] == 't' then
        there = redis.call('HGET', tiles, ARGV[at + 1])
        there = there and string.sub(there, 1, 24)
    else
        local all = members(rows, ARGV[at + 1])
        local prefix = #ARGV[at + 1]
        there = all[#all] and string.sub(all[#all], prefix + 1, prefix + 24)
    end
    if (there or '') ~= ARGV[at + 2] then return 0 end
    at = at + 3
end
local removed = tonumber(ARGV[at])
at = at + 1
for _ = 1, removed do
    if ARGV[at] == 't' then
        redis.call('HDEL', tiles, ARGV[at + 1])
    else
        local all = members(rows, ARGV[at + 1])
        for i = 1, #all do redis.call('ZREM', rows, all[i]) end
    end
    at = at + 2
end
for i = at, #ARGV, 3 do
    if ARGV[i] == 't' then
        redis.call('HSET', tiles, ARGV[i + 1], ARGV[i + 2])
    else
        put_row(rows, ARGV[i + 1], ARGV[i + 2])
    end
end
return 1
