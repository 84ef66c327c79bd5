;; Returns an odd address for the pointer and length of its reply.
(func $done (param $length i32) (result i32)
  (i32.store (i32.const 17) (i32.const 0x200000))
  (i32.store (i32.const 21) (local.get $length))
  (i32.const 17))
