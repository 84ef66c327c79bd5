-- KEYS: rows, tiles. ARGV: 1 to replace, else 0; the bound below which rows are dropped, or nothing; then kind, name and payload of each part.
local rows, tiles = KEYS[1], KEYS[2]
local replace = ARGV[1] == '1'
local written, older, unchanged = 0, 0, 0
for i = 3, #ARGV, 3 do
    local name, payload = ARGV[i + 1], ARGV[i + 2]
    local there
    if ARGV[i] == 't' then
        there = redis.call('HGET', tiles, name)
    else
        local all = members(rows, name)
        there = all[#all] and string.sub(all[#all], #name + 1)
    end
    if there == payload then
        unchanged = unchanged + 1
    elseif there and not replace and not newer(payload, there) then
        older = older + 1
    else
        written = written + 1
        if ARGV[i] == 't' then
            redis.call('HSET', tiles, name, payload)
        elseif there then
            put_row(rows, name, payload)
        else
            redis.call('ZADD', rows, 0, name .. payload)
        end
    end
end
if ARGV[2] ~= '' then redis.call('ZREMRANGEBYLEX', rows, '-', ARGV[2]) end
return { written, older, unchanged }
