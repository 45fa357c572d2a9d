"""What the pages share: navigation, the drop zone and its route, the live panel, figures, literal names."""
