"""What people say to an agent after its turn, as phrases of grammar and feedback: never a topic.

English is told apart most finely; other languages by the cue tables (cues.py), whose meanings stand here under the
same names. A phrase is words with single spaces; a `*` at its end stands for any ending of the last word.
"""

OPENERS: dict[str, str] = {
    "no": "no|nope|nah|wrong|incorrect|not really|not quite|not exactly|no no",
    "yes": "yes|yeah|yep|yup|ya|sure|correct|right|exactly|agreed|agree|please do|do it|go for it|absolutely|definitely",
    "praise": "great|perfect|nice|awesome|excellent|amazing|cool|good|love it|wonderful|fantastic|thanks|thank you|looks good"
    "|lgtm|well done|good job|beautiful|brilliant|works|that works|it works|very nice|very good|much better|better",
    "ok": "ok|okay|alright|all right|fine|k|kk|mmk|got it|right so|cool so",
    "hm": "hm*|uh|uhh*|um|umm*|wait|hold on|hang on|whoa|dude|come on|ugh|argh|ah|ahh*|oh|oops|whoops|eh|er|wtf|wth|stop"
    "|hey|seriously|really|honestly|sorry|careful",
    "but": "but|however|although|though|except|yet",
    "also": "also|and|plus|additionally|furthermore|next|now|then|after that|finally|lastly|one more|another thing"
    "|while you|while we|in addition",
    "still": "still|it still|its still|it's still|that still|i still|there's still|there is still|there are still|same",
    "why": "why|how come|what the",
    "wh": "what|what's|whats|how|where|where's|which|who|when|does|do you|do we|did|is it|is there|is this|is that|are there"
    "|are we|are you|can i|can it|will|would it|would this|could it|have you|has|was|were|am i",
    "ask": "can you|could you|can we|could we|would you|please|pls|plz|let's|lets|let us|i want you to|i need you to"
    "|i'd like you to|i would like you to|i'd like to|i would like to|help me|go ahead and|your task|your job",
    "think": "i think|i don't think|i dont think|i believe|i feel|i guess|imo|in my opinion|maybe|perhaps|it seems|seems"
    "|looks like|it looks like",
    "want": "i want|i need|i'd like|i would like|i prefer|i'd prefer|i'd rather|we want|we need|i don't want|i dont want"
    "|we don't want|we dont want|i don't like|i dont like|i hate",
    "we": "we|we're|we've|we'll|our",
    "you": "you|you're|you've|you'll|youre|your|u",
    "thing": "it|its|it's|this|that|that's|thats|the|there|there's|these|those|they|some|all|only|each|every",
    "dont": "don't|dont|do not|never|avoid|no need|stop|not|don't ever|please don't|please do not|pls don't|leave|keep|forget"
    "|skip|ignore",
    "rather": "actually|instead|rather|technically|in fact|well actually|to be clear|just to be clear|for the record|again"
    "|i repeat|remember|note that|fyi|reminder|as i said|as i mentioned|as mentioned|like i said",
    "isaid": "i said|i told|i asked|i meant|i mean|i was|i wanted|i already|i've already|i did|i didn't|i specifically"
    "|i mentioned|i never|we said|we agreed|we decided|we already|i thought|we discussed|i only",
    "igot": "i get|i got|i'm getting|im getting|i am getting|getting|got|i see|i'm seeing|i have|i can't|i cannot|when i"
    "|i tried|tried|running|i ran|i just ran|nothing|error|failed|after|i notice*|i can see|now i",
    "undo": "undo|revert|restore|roll back|rollback|go back|put back|back to|bring back|reset|remove|delete|drop|get rid"
    "|take out|get back",
    "change": "change|move|make|put|use|rename|replace|switch|swap|set|adjust|reduce|increase|align|center|shrink|tweak"
    "|simplify|merge|combine|split",
    "create": "add|create|implement|write|build|generate|include|set up|setup|introduce|draft|design|develop|integrate"
    "|extend|refactor|update|document|prepare|install|organize|improve",
    "fix": "fix|address|resolve|solve|debug|correct|repair|handle|investigate|check|look|look at|take a look|see|read|review"
    "|verify|analyze|analyse|explore|examine|find|search|explain|tell|show|describe|summarize|list|think|compare",
    "go": "continue|proceed|go|go ahead|run|start|commit|push|deploy|merge|release|test|try|begin|execute|launch|open|ship"
    "|resume|publish|keep going|carry on|next|kick off|ready",
}
"""The first words of a text, after fillers. The longest phrase wins; one class a text."""

ANYWHERE: dict[str, str] = {
    "should": "should|should be|should have|ought to|supposed to|meant to|must|must be|has to|have to|needs to be|need to be"
    "|expected to|is expected",
    "shouldnt": "shouldn't|should not|shouldnt|mustn't|must not|not supposed|shouldn't we|aren't supposed|no need|need not"
    "|doesn't need|don't need|dont need|not needed|unnecessary|redundant|pointless|overkill",
    "notwant": "don't want|dont want|do not want|didn't want|not want|wouldn't want|don't like|dont like|don't need"
    "|didn't ask|did not ask|never asked|not what i|isn't what i|not what we|not the|isn't the|wasn't the|aren't the|not a"
    "|nobody|i'd rather|prefer|would rather|not interested|rid of",
    "wantto": "i want|i need|i'd like|i would like|we want|we need|i wanted|we wanted|i was hoping",
    "dont": "don't|dont|do not|never|avoid|stop|won't|wont|will not|no longer|not anymore|no more|please don't|without",
    "not": "not|isn't|isnt|is not|wasn't|aren't|are not|weren't|no|nothing|none|doesn't|doesnt|does not|didn't|didnt|did not"
    "|can't|cannot|cant|couldn't|haven't|hasn't|hadn't|wouldn't",
    "instead": "instead|instead of|rather than|rather|in place of|as opposed to|not just|opposed|versus|in favor of",
    "only": "only|just|solely|exclusively|merely|nothing else|nothing more|that's it|thats it",
    "too": "too much|too many|too big|too small|too long|too short|too wide|too far|too close|too high|too low|too large"
    "|too complex|too complicated|too fast|too slow|too bright|too dark|too generic|too verbose|too early|too late|way too"
    "|overly|is too|are too|bit too|so much|so many|excessive*|a lot of",
    "again": "again|once more|one more time|repeat*|every time|each time|all the time|constantly|keep|keeps|kept|yet again",
    "back": "undo|revert*|restore*|roll back|rollback|go back|put it back|put that back|put back|back to|bring back|reset"
    "|get back|the way it was|as it was|like it was|as before|like before|previous*|original*|used to|stick with|stick to"
    "|leave it|leave the|leave that|keep the|keep it|keep using|as is",
    "remove": "remove*|delete|deleted|drop|get rid|take out|strip|omit|exclude|leave out|hide|forget about|forget",
    "alter": "move|change|replace|rename|switch|swap|make it|make the|make sure|put it|put the|use the|use a|set it|turn it"
    "|bigger|smaller|larger|wider|narrower|closer|further|lower|higher|above|below|underneath|beneath|top|bottom|left|right"
    "|center*|middle|inside|outside|next to|beside",
    "same": "same|same as|similar|like the|consistent|consistency|match|matches|identical|just like|as the|the way|unlike",
    "already": "already|previously|earlier|before|we had|was there|exists|existing|there is already",
    "wrong": "wrong|incorrect|incorrectly|mistake*|mistaken*|inaccurate|not right|not correct|isn't right|isn't correct"
    "|not true|isn't true|false|misunderst*|misread*|off|missed|missing the|forgot|forgotten|overlooked|ignored|lie"
    "|inappropriate|bad|terrible|horrible|awful|worse|silly|stupid|dumb|nonsense|invalid|mess*|hallucinat*"
    "|made up|accidentally|violat*",
    "odd": "confus*|weird|strange|odd|doesn't make sense|makes no sense|make sense|ugly|annoying|unclear|not clear"
    "|hard to|useful|useless|pointless|too|inconsistent|sloppy|lazy|cluttered|misleading|not great|not ideal",
    "fail": "doesn't work|does not work|not working|isn't working|didn't work|doesnt work|stopped working|broken|broke|breaks"
    "|crash*|fails|failed|failing|failure|not showing|doesn't show|not appear*|doesn't appear|not load*|doesn't load|hangs"
    "|stuck|freez*|not found|nothing happen*|no effect|no change|unable|won't start|not respond*|disappear*|gone|empty"
    "|blank|not able|bug|bugs|buggy|issue|issues|problem|problems|regress*|glitch*|does nothing|won't|not update*",
    "error": "error|errors|exception|traceback|undefined|null|nan|warning|warnings|fatal|panic|stack trace|segfault|denied"
    "|refused|timeout|timed out|unexpected|invalid|cannot find|can't find|no such|unresolved|stderr|exit code|errno"
    "|uncaught|unhandled|typeerror|syntaxerror|referenceerror|importerror|valueerror|keyerror|modulenotfounderror",
    "still": "still|even after|even though|remains|remain|persist*|as well|again",
    "getting": "i get|i got|getting|i see|i'm seeing|seeing|i am seeing|when i|if i|i tried|i ran|i run|shows|says|showing"
    "|saying|returns|appears|i notice*|looks like|look like|seems like|happens|happening|happened|i can't|i cannot",
    "praise": "great|perfect*|nice|awesome|excellent|amazing|love|works|working now|thanks|thank|good|beautiful|better"
    "|fantastic|good job|well done|looks good|happy|cool",
    "create": "add|create|implement|write|build|generate|include|introduce|new|another|feature|support|extend|make a"
    "|design|draft|integrate|set up|setup|prepare|develop|improve*|enhance*|update",
    "go": "commit|push|merge|deploy|release|run|continue|proceed|go ahead|start|next step|next phase|let's|lets|now|then"
    "|ready|begin|publish|open a|pull request|test it|try it",
    "agree": "yes|agree|agreed|sounds good|sounds great|option|fine|ok|okay|go with|that works|approved|correct|both|good idea"
    "|sure|as you suggest*|your recommendation|recommend*",
    "you": "you|you're|you've|your|youre|yourself|u",
    "youdid": "you did|you didn't|you have|you've|you had|you put|you made|you used|you added|you removed|you changed|you wrote"
    "|you deleted|you forgot|you missed|you broke|you keep|you kept|you still|you just|you seem|you were|you're still"
    "|you need to|you should|you shouldn't|you must|you can't|you said|you claim*|you created|you took|you got|you always"
    "|you never|you already|you ran|you left|you set|you moved|did you|why did you|why are you|why do you|why would you"
    "|why you|have you|you haven't|you only|you again|you ignored|you skipped",
    "isaid": "i said|i told|i asked|i meant|i mean|i wanted|i already|i mentioned|i specifically|i thought|i was talking"
    "|i was referring|i suggest*|we said|we agreed|we decided|we discussed|we already|told you|asked you|asked for|as i"
    "|like i|i repeat|remind*|i never|i only|i didn't|i don't understand|i'm talking|i am talking|my point|the point"
    "|what i",
    "we": "we|we're|we've|we'll|our|ours|us",
    "weare": "we're not|we are not|we aren't|we don't|we do not|we won't|we will not|we never|we always|we use|we keep"
    "|we prefer|we only|we want|we should|we need|we have|we just|we actually|we shouldn't|we didn't",
    "rule": "always|never|every time|each time|from now on|in the future|in future|going forward|next time|remember|rule*"
    "|whenever|by default|convention*|guideline*|policy|make sure|be sure|ensure|standard*|as a rule|general rule|anymore"
    "|ever|ever again|practice*|process|instructions|memory|before you|first thing|without asking|ask me|must",
    "hedge": "maybe|perhaps|i think|i guess|probably|might|could be|seems|i believe|not sure|i wonder|possibly|kind of"
    "|sort of|i feel|could",
    "curse": "wtf|wth|shit*|fuck*|damn*|hell|crap|stupid|dumb|idiot*|ffs|jesus|omg|bullshit|ridiculous|come on|dude|seriously"
    "|what the|garbage|terrible",
    "why": "why|how come|what's the point|what is the point|what happened|reason",
    "please": "please|pls|plz",
    "also": "also|as well|additionally|plus|and then|another|in addition|besides|too",
    "but": "but|however|although|though|except|otherwise|unless|yet|whereas|while",
    "because": "because|since|so that|cause|reason|therefore|as it|otherwise",
    "ask": "can you|could you|can we|could we|would you|is it|is there|do we|do you|does it|what|how|which|where|who",
    "tag": "no|right|correct|or not|isn't it|shouldn't it|doesn't it|don't we|shouldn't we|don't you|aren't we",
    "howto": "use|using|via|through|with the|from the|into the|in the|as a|like this|the following|follow|according",
    "review": "review*|comment*|feedback|suggest*|nit|issue|finding*|address|fix|reviewer|pr|critical|major|minor|severity",
    "info": "here is|here's|here are|this is|it is|it's|i have|i've|i'm|i am|done|attached|below|see",
    "understand": "don't understand|do not understand|not sure|i'm confused|unclear|don't get|don't see|dont see|didn't see"
    "|i see no|what do you mean|explain",
}
"""Phrases that may stand anywhere; counted."""

BEFORE: dict[str, str] = {
    "offers": "would you like|want me to|should i|shall i|let me know|do you want|if you want|if you'd like|say the word"
    "|your call|which option|which approach|what do you think|which one|how would you|would you prefer|ready to|ready when"
    "|just say|happy to|feel free|any other|anything else|your preference|prefer|thoughts",
    "done": "done|fixed|implemented|updated|added|created|removed|renamed|moved|now|ready|successfully|complete*|should now"
    "|all set|resolved|works|working|passed|passing|pass|deployed|pushed|committed|merged|applied|changes|improved",
    "plan": "i'll|i will|let me|i'm going|going to|next|plan|step|steps|first|then|phase|todo|we can|we could|i'd|proposal"
    "|approach|option|options|recommend*|suggest*|strategy",
    "trouble": "error|failed|failing|fails|issue|problem|bug|cannot|can't|unable|sorry|apolog*|unfortunately|warning"
    "|not found|you're right|you are right|my mistake",
    "test": "try|test|verify|check|open|click|run|reload|refresh|restart|visit|see if",
    "edit": "edit*|write|wrote|file|files|line|lines|commit|diff|patch|applied edit",
    "look": "read|search*|found|looking|grep|list|explor*|look at|analy*|check*",
}
"""Phrases in what the agent said before."""
