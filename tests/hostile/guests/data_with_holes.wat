;; Two bytes of data, 60 MiB apart: an image of its memory would be as large.
(memory $memory (export "memory") 1000)
(data $first (i32.const 8) "a")
(data $last (i32.const 0x3c00000) "z")
