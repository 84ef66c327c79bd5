-- Versions are compared four bytes at a time: Lua's own order of strings depends on the server's locale.
local function newer(a, b)
    for at = 1, 21, 4 do
        local x, y = struct.unpack('>I4', a, at), struct.unpack('>I4', b, at)
        if x ~= y then return x > y end
    end
    return false
end

-- All members of one row, the newest last. The prefix ends with two zeros, and nothing but its members lies below its end with a one.
local function members(key, prefix)
    return redis.call('ZRANGEBYLEX', key, '[' .. prefix, '(' .. string.sub(prefix, 1, -2) .. '\1')
end

local function put_row(key, prefix, payload)
    local there = members(key, prefix)
    for i = 1, #there do redis.call('ZREM', key, there[i]) end
    redis.call('ZADD', key, 0, prefix .. payload)
end
