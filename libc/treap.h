/*
 * A treap: a binary tree in the order of some key that is kept balanced by a priority of each node,
 * a random number or a hash: the higher priority has the higher place, so the depth is O(log n)
 * with overwhelming odds. To part one in two and to join two is all that insertion and removal
 * need.
 *
 * A text to be included once by a file that has such a tree. Before it stand
 *   TREE_NODE               the struct, with left and right
 *   TREE_KEY                the type of the key
 *   TREE_BELOW(node, key)   whether the node comes before the key
 *   TREE_PRIORITY(node)
 *   tree_update_node(node)       a function: makes right what the node knows of its subtree, from
 * its children
 */

/* A priority for which nothing need be stored. */
static inline uint32_t tree_priority_by(const void *address)
{
    uint32_t x = (uint32_t)(uintptr_t)address * 0x9e3779b1u;

    return x ^ x >> 15;
}

/* Parts root into what comes before the key, and the rest. */
static void tree_split(TREE_NODE *root, TREE_KEY key, TREE_NODE **below, TREE_NODE **above)
{
    if (!root) {
        *below = *above = NULL;
    } else if (TREE_BELOW(root, key)) {
        tree_split(root->right, key, &root->right, above);
        *below = root;
        tree_update_node(root);
    } else {
        tree_split(root->left, key, below, &root->left);
        *above = root;
        tree_update_node(root);
    }
}

/* All of a comes before all of b. */
static TREE_NODE *tree_join(TREE_NODE *a, TREE_NODE *b)
{
    if (!a || !b)
        return a ? a : b;
    if (TREE_PRIORITY(a) > TREE_PRIORITY(b)) {
        a->right = tree_join(a->right, b);
        tree_update_node(a);
        return a;
    }
    b->left = tree_join(a, b->left);
    tree_update_node(b);
    return b;
}
