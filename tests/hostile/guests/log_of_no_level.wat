(func $thirteen (param $row i32)
  (call $log (i32.const 99) (i32.const 0) (i32.const 0) (i32.const 1024) (i32.const 4)))
