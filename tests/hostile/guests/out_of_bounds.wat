(func $thirteen (param $row i32) (drop (i64.load (i32.const -8))))
