;; The request would begin at 4 GiB less 8: its end is past 2^32.
(func $realloc (export "cabi_realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32)
  (result i32)
  (i32.const -8))
