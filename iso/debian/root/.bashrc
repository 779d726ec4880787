PS1='\u@\h:\w\$ '
alias ll='ls -l'
alias poweroff='busybox poweroff' reboot='busybox reboot'
