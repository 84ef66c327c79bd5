;; Takes slots from a segment in one instruction, again and again: each slot is
;; a function that the host must first make a reference to.
(table $table 60000 funcref)
(elem $segment func $mark $mark $mark $mark $mark $mark $mark $mark $mark $mark $mark $mark $mark $mark $mark $mark)
(func $mark)
(func $thirteen (param $row i32)
  (loop $ever
    (table.init $table $segment (i32.const 0) (i32.const 0) (i32.const 16))
    (br $ever)))
