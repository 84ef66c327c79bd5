;; Writes 60,000 slots of a table in one instruction, again and again.
(table $table 60000 funcref)
(elem declare func $mark)
(func $mark)
(func $thirteen (param $row i32)
  (loop $ever
    (table.fill $table (i32.const 0) (ref.func $mark) (i32.const 60000))
    (br $ever)))
