;; Puts the reply where the request is, and returns that: the host has read or
;; written all it wants by then, so it does no harm.
(func $done (param $length i32) (result i32)
  (memory.copy (i32.const 0x100000) (i32.const 0x200000) (local.get $length))
  (global.set $seen (i32.const 0))
  (call $returned (i32.const 0x100000) (local.get $length)))
