const link = /^#\/*((?:cast|share)\/.+)$/i.exec(location.hash);
if (link) location.replace('/' + link[1]);
