"""Wrong input by the thousand: each case is read, or refused in words; nothing else may happen.

A case is a valid sample with a few changes, keyed by (target, seed, number), so any can be made again. Hypothesis would
stop at the first failure and make an inexact number of cases; these are counted, timed, and go on.
"""
