;; More memory from the start than an instance may have.
(memory $memory (export "memory") 1200)
