"""THE LOOP, one file per stage; they never call each other, they meet in the store.

host ──hook──▶ spool ──capture──▶ events ──detect──▶ corrections ──codify──▶ skills (SKILL.md)
  ▲                                 ▲                                            │
  └────────── injected text ◀───────┼──────────────── recall ◀───────────────────┤
                                    ├──── feedback: did it recur? ──▶ outcomes ──┘ scores
                                    └──── experience: how did each task go? ──▶ experiences

What a person labels, or a model judges (judging.py), stands beside the corrections as Judgements; whoever acts on a
correction reads it through judged.py.
"""
