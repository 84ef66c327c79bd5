;; Calls through an empty slot of a table.
(type $nothing (func))
(table $table 4 funcref)
(func $thirteen (param $row i32) (call_indirect $table (type $nothing) (i32.const 2)))
