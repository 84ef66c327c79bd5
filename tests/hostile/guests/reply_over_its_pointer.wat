;; Puts the reply over the pointer and length that say where it is.
(func $done (param $length i32) (result i32)
  (i32.store (i32.const 0x200040) (i32.const 0x200000))
  (i32.store (i32.const 0x200044) (local.get $length))
  (i32.const 0x200040))
