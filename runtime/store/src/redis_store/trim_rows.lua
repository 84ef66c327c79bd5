-- KEYS: rows. ARGV: the bound below which rows go, without its mark; 1 to keep the newest. Returns how many went.
local rows, below = KEYS[1], ARGV[1]
if ARGV[2] == '1' and redis.call('ZLEXCOUNT', rows, '[' .. below, '+') == 0 then
    local newest = redis.call('ZREVRANGEBYLEX', rows, '+', '-', 'LIMIT', 0, 1)[1]
    if not newest then return 0 end
    return redis.call('ZREMRANGEBYLEX', rows, '-', '(' .. newest)
end
return redis.call('ZREMRANGEBYLEX', rows, '-', '(' .. below)
