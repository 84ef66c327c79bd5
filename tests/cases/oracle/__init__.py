"""The slow, obvious answer: DESIGN sections 4 to 6 in pure Python, over integers and fractions.

Written from the design alone. It shares no line, no library and no shortcut with the runtime, so that where both agree,
two independent readings of the design have met. It may be slow: every question scans all rows. It knows SQL expressions,
built-in aggregates, all windows and on-demand views; it knows no modules, and leaves mistakes in definitions to the runtime.
"""
