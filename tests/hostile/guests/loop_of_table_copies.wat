;; Moves 50,000 slots of a table in one instruction, again and again.
(table $table 60000 funcref)
(func $thirteen (param $row i32)
  (loop $ever
    (table.copy $table $table (i32.const 1) (i32.const 0) (i32.const 50000))
    (br $ever)))
