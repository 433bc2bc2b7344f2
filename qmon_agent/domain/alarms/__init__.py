"""Who hears of what, and when: matchers, routes, groups, mutes, duty; values in and values out."""
