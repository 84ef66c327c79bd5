-- KEYS: state. ARGV: what it was (nothing: it was not there), what it is to be. Returns whether it was as said.
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
