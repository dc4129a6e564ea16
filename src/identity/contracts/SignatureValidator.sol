// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/**
 * Checks the signature of a contract account inside one `eth_call`: it runs as init code and is never deployed. What the
 * constructor answers instead of code are four words: the verdict, whether the account had code before, the chain id and the
 * time of the block. It never reverts, so a revert, or anything else than four words, is trouble of the node.
 *
 * Order and meaning follow ERC-6492, with two differences, both stricter. An account that has code is asked as it is: the
 * call of the wrapper is made for accounts without code alone, so a signature cannot bring state of its own along. And there
 * is no recovery of a public key: accounts that a private key controls are told apart before, without a node.
 *
 * What the account and the factory answer is not copied, beyond one word, and both have a fixed amount of gas.
 */
contract SignatureValidator {
    uint256 private constant VALID = 1;
    uint256 private constant INVALID = 2;
    /** There is no code at the address, even after the call of the wrapper. */
    uint256 private constant NO_CODE = 3;
    /** The code is a delegation (EIP-7702) and the account is a private key's. */
    uint256 private constant DELEGATED = 4;

    uint256 private constant FACTORY_GAS = 8_000_000;
    uint256 private constant SIGNATURE_GAS = 5_000_000;
    bytes4 private constant ERC1271_MAGIC = 0x1626ba7e;

    /** `factory` is zero, and `factoryCall` empty, for a signature without an ERC-6492 wrapper. */
    constructor(address account, bytes32 hash, bytes memory signature, address factory, bytes memory factoryCall) {
        bool deployed = account.code.length > 0;
        if (!deployed && factory != address(0)) {
            assembly {
                pop(call(FACTORY_GAS, factory, 0, add(factoryCall, 32), mload(factoryCall), 0, 0))
            }
        }
        uint256 verdict = check(account, hash, signature);
        assembly {
            mstore(0x00, verdict)
            mstore(0x20, deployed)
            mstore(0x40, chainid())
            mstore(0x60, timestamp())
            return(0x00, 0x80)
        }
    }

    function check(address account, bytes32 hash, bytes memory signature) private view returns (uint256) {
        if (account.code.length == 0) return NO_CODE;
        uint256 prefix;
        assembly {
            mstore(0x00, 0)
            extcodecopy(account, 30, 0, 2)
            prefix := mload(0x00)
        }
        if (prefix == 0xef01) return DELEGATED;
        bytes memory data = abi.encodeWithSelector(ERC1271_MAGIC, hash, signature);
        uint256 answer;
        bool answered;
        assembly {
            mstore(0x00, 0)
            answered := staticcall(SIGNATURE_GAS, account, add(data, 32), mload(data), 0x00, 0x20)
            answered := and(answered, gt(returndatasize(), 31))
            answer := mload(0x00)
        }
        return answered && answer == uint256(bytes32(ERC1271_MAGIC)) ? VALID : INVALID;
    }
}
