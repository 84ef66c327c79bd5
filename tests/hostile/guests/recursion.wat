(func $thirteen (param $row i32) (call $thirteen (i32.add (local.get $row) (i32.const 1))))
