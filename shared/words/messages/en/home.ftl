### English: the start page.

title = Sessions by link
about = This server starts sessions for people with a link. Open the link that you were given.
needs-script = If your link has a # in it, switch JavaScript on and open it again, or remove the characters /# from it.
