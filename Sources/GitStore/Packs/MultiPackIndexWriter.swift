internal import GitCore
extension ObjectDatabase {
    package func writeMultiPackIndex(bitmapsFor: Repository?) throws(StoreError) {}
}
