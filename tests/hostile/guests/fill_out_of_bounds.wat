;; Fills memory over its end in one instruction: it must not write the first bytes either.
(func $thirteen (param $row i32) (memory.fill (i32.const 0x3ffff0) (i32.const 7) (i32.const 0x10000)))
