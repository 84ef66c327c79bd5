;; A message that ends past 2^32.
(func $thirteen (param $row i32)
  (call $log (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 0x200000) (i32.const -1)))
