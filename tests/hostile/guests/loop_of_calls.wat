;; No loop and little stack, but 2^60 calls.
(func $thirteen (param $row i32) (call $twice (i32.const 60)))
(func $twice (param $times i32)
  (if (local.get $times)
    (then
      (call $twice (i32.sub (local.get $times) (i32.const 1)))
      (call $twice (i32.sub (local.get $times) (i32.const 1))))))
