;; Has data behind the end of its memory: it cannot be instantiated.
(data $outside (i32.const 0x3fffff) "too long")
