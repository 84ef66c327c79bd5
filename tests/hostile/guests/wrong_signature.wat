;; Calls a function through a table as if it were of another type.
(type $other (func (param i64) (result f64)))
(table $table 4 funcref)
(elem (table $table) (i32.const 0) func $trapping)
(func $trapping)
(func $thirteen (param $row i32) (drop (call_indirect $table (type $other) (i64.const 1) (i32.const 0))))
