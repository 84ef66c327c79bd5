(func $thirteen (param $row i32)
  (loop $ever
    (call $log (i32.const 3) (i32.const 1) (local.get $row) (i32.const 1024) (i32.const 64))
    (br $ever)))
