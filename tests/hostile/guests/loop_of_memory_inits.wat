;; Copies a segment of data in one instruction, again and again.
(data $segment "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")
(func $thirteen (param $row i32)
  (loop $ever
    (memory.init $segment (i32.const 0x300000) (i32.const 0) (i32.const 64))
    (br $ever)))
