;; Fills all the memory that it can get with a pattern, for the next tenant of
;; its place to find.
(func $thirteen (param $row i32)
  (drop (memory.grow (i32.const 900)))
  (memory.fill (i32.const 0x300000) (i32.const 0xa5) (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 0x300000))))
