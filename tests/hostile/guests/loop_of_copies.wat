;; Moves a megabyte in one instruction, again and again.
(func $thirteen (param $row i32)
  (loop $ever
    (memory.copy (i32.const 0x300000) (i32.const 0x2f0000) (i32.const 0x100000))
    (br $ever)))
