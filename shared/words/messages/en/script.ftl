### English: what the viewer's script says.

over = This session has ended.
over-time-limit = This session has ended: its time was up.
over-abandoned = This session has ended: it was disconnected for too long.
over-not-entered = This session has ended: it was not entered in time.
over-idle = This session has ended: it was inactive.
over-owner = This session has ended: its owner ended it.
over-reclaimed = This session has ended: the machine that it ran on was needed elsewhere.
over-elsewhere = This session has ended: it was ended on its page or by an administrator.
lost = The connection is lost; trying again.
reclaimed = This machine is needed elsewhere: the session ends in { $left }. Please save your work.
idle = Are you still there? The session ends in { $left } unless you touch it.
late = The session ends in { $left }.
controls = { $name } has control
watches = { $name } watches
take-back = Take back
hand-over = Hand over
take-back-from = Take back control from { $name }
hand-over-to = Hand over control to { $name }
asks = { $name } wants to watch
let-in = Let in
let-in-name = Let in { $name }
turn-away = Turn away
turn-away-name = Turn away { $name }
remove = Remove
remove-name = Remove { $name }
guest = { $name } (guest)
administrator = { $name } (administrator)
observed = An administrator is watching this session: { $name }
more = { $count ->
    [one] { $count } more minute
   *[other] { $count } more minutes
}
times = { $count ->
    [one] This can be done { $count } more time.
   *[other] This can be done { $count } more times.
}
all-taken = All of the additional time has been taken.
watching = { $count ->
    [one] { $count } watching
   *[other] { $count } watching
}
panel = Control panel
panel-watched = { $count ->
    [one] Control panel, { $count } watching
   *[other] Control panel, { $count } watching
}
role-controller = have control
role-viewer = are watching
good = Good
bad = Lost
full-screen = Full screen
leave-full-screen = Leave full screen
copy = Copy
copied = Copied
failed = That did not work; please try again.
sent-board = It is in the clipboard of the session.
taken-board = It is in your own clipboard.
not-allowed = Your browser does not allow that.
sound-on = Sound is on
sound-off = Sound is off
sending = Sending { $name }
sending-part = Sending { $name }: { $progress } %
sent = { $name } is in the session.
not-sent = { $name } was not sent.
