;; Memory moves or grows under the host's feet while it lowers the request.
(func $realloc (export "cabi_realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32)
  (result i32)
  (i32.shl (memory.grow (i32.const 2)) (i32.const 16)))
