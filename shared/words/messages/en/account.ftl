### English: signing in, and the list of one's sessions.

signed-in = You are signed in
signed-in-as = Signed in as { $name }
go-on = Open the link that you were given.
signed-out = You are signed out
sessions-go-on = Sessions that you have started keep running.
sessions = Your sessions
no-sessions = You have no running session.
starting-since = Starting since { $time }
running-since = Running since { $time }
ending-since = Ending, started { $time }
enter = Go to it
end = End
end-question = End this session?
sign-in = Sign in
sign-out = Sign out
