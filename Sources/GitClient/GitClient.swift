import GitCore
