;; Returns an address past the end of its memory for the pointer and length of its reply.
(func $done (param $length i32) (result i32) (i32.const -4))
